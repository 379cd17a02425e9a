"""What came in, whole: files and deliveries, the connections they came by, and the rows that did not pass."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel


class ImportFile(TenantModel):
    """A file as it came, what its columns mean, and what became of its rows.

    Once applied: rows read = applied + duplicate + set aside + rejected.
    """

    class Kind(models.TextChoices):
        ORDERS = "orders", _("order lines")
        ITEMS = "items", _("items")
        STOCK = "stock", _("stock on hand")
        SUPPLIERS = "suppliers", _("suppliers and terms")
        PROMOTIONS = "promotions", _("promotions")

    class State(models.TextChoices):
        STORED = "stored", _("waiting for its columns to be confirmed")
        QUEUED = "queued", _("waiting to be read")
        APPLYING = "applying", _("being read")
        APPLIED = "applied", _("read")
        REFUSED = "refused", _("refused")

    kind = models.CharField(_("what it holds"), max_length=12, choices=Kind)
    channel = TenantForeignKey("catalog.Channel", models.PROTECT)
    name = models.CharField(_("file"), max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField(_("bytes"))
    path = models.CharField(max_length=300)
    dialect = models.JSONField(default=dict)
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.STORED)
    rows_read = models.PositiveIntegerField(_("rows"), default=0)
    rows_applied = models.PositiveIntegerField(_("applied"), default=0)
    rows_duplicate = models.PositiveIntegerField(_("already known"), default=0)
    rows_set_aside = models.PositiveIntegerField(_("set aside"), default=0)
    rows_rejected = models.PositiveIntegerField(_("rejected"), default=0)
    rows_settled = models.PositiveIntegerField(_("rejected, and wait no more"), default=0)
    rules = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    job_id = models.BigIntegerField(null=True)
    uploaded_by = models.CharField(_("by"), max_length=160, blank=True)
    idempotency_key = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(_("came in"), default=timezone.now)
    applied_at = models.DateTimeField(_("applied"), null=True)
    seconds = models.FloatField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "idempotency_key"], name="ingestion_file_key_once",
                                               condition=~models.Q(idempotency_key=""))]
        indexes = [models.Index(fields=["tenant", "-id"], name="ingestion_file_recent"),
                   models.Index(fields=["tenant", "sha256"], name="ingestion_file_sha")]

    def __str__(self) -> str:
        return self.name

    @property
    def rows_waiting(self) -> int:
        """The rejected rows that did not come again, and that nobody set aside."""
        return self.rows_rejected - self.rows_settled


class RowIssue(TenantModel):
    """A row that was rejected, or set aside by a rule: its number, value, reason, what would fix it, and itself."""

    class Outcome(models.TextChoices):
        REJECTED = "rejected", _("rejected")
        SETTLED = "settled", _("rejected, and waits no more")
        SET_ASIDE = "set_aside", _("set aside")

    file = TenantForeignKey(ImportFile, models.CASCADE)
    row_number = models.PositiveIntegerField(_("row"))
    outcome = models.CharField(max_length=10, choices=Outcome)
    rule = models.CharField(_("rule"), max_length=40)
    column = models.CharField(_("column"), max_length=60, blank=True)
    value = models.TextField(_("value"), blank=True)
    raw = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "file", "row_number"], name="ingestion_issue_once")]
        indexes = [models.Index(fields=["tenant", "file", "rule"], name="ingestion_issue_rule")]


class Connection(TenantModel):
    """A shop that sends deliveries by itself; its secret signs them."""

    channel = TenantForeignKey("catalog.Channel", models.PROTECT)
    name = models.CharField(_("name"), max_length=120)
    shop_domain = models.CharField(_("shop's address"), max_length=200, blank=True)
    secret = models.TextField(_("signing secret, encrypted"))
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "channel"], name="ingestion_connection_once")]


class Delivery(TenantModel):
    """A delivery as it came: stored raw, with its unique id, before the shop is told "received"."""

    class State(models.TextChoices):
        PENDING = "pending", _("waiting")
        APPLIED = "applied", _("applied")
        DUPLICATE = "duplicate", _("already known")
        REJECTED = "rejected", _("rejected")

    connection = TenantForeignKey(Connection, models.PROTECT)
    topic = models.CharField(_("about"), max_length=60)
    delivery_id = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    body = models.BinaryField()
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PENDING)
    times_received = models.PositiveIntegerField(_("times received"), default=1)
    outcome = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    applied_at = models.DateTimeField(_("applied"), null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "connection", "delivery_id"],
                                               name="ingestion_delivery_once")]
        indexes = [models.Index(fields=["tenant", "state", "-id"], name="ingestion_delivery_state")]
