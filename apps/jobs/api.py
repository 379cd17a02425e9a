"""Jobs, for programs: what was asked for, how far it is, what came of it."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.jobs import selectors, services
from apps.jobs.models import Job
from apps.tenants.models import Permission
from apps.tenants.rest import Conflict, TenantViewSet


class JobSerializer(serializers.ModelSerializer[Job]):
    title = serializers.CharField(read_only=True)

    class Meta:
        model = Job
        fields = ["id", "kind", "title", "state", "progress", "attempts", "created_at", "started_at", "finished_at"]


class JobDetailSerializer(JobSerializer):
    """A job with its record: input, result, and its story line by line."""

    input = serializers.JSONField(read_only=True)
    result = serializers.JSONField(read_only=True)
    note = serializers.CharField(read_only=True)
    story = serializers.JSONField(read_only=True)

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "input", "result", "note", "story"]


class JobFilter(django_filters.FilterSet):
    kind = django_filters.CharFilter()
    state = django_filters.ChoiceFilter(choices=Job.State.choices)


class JobViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Jobs: long work that was asked for."""

    serializer_class = JobSerializer
    filterset_class = JobFilter
    to_change = Permission.OPERATE

    def rows(self) -> Any:
        return selectors.jobs()

    @extend_schema(responses=JobDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._with_record(self.get_object())

    @extend_schema(request=None, responses=JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a job: one that waits at once, one that runs at its next step."""
        return self._changed(services.cancel)

    @extend_schema(request=None, responses=JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run a failed or cancelled job again with the input it had."""
        return self._changed(services.retry)

    def _changed(self, change: Any) -> Response:
        try:
            return self._with_record(change(job=self.get_object(), actor=None, label=self.program))
        except services.NotNow as error:
            raise Conflict(str(error)) from error

    def _with_record(self, job: Job) -> Response:
        [view] = selectors.with_records([job])
        for name in ("input", "result", "note", "story"):
            setattr(job, name, getattr(view.record, name, None))
        return Response(JobDetailSerializer(job).data)
