"""Signing in beside a shop: switching, invitations, and the settings of the shop, its people and its keys."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from apps.tenants import selectors, services
from apps.tenants.access import ShopRequest, needs
from apps.tenants.forms import (
    INVITATION_KEY,
    InviteForm,
    KeyForm,
    NewShopForm,
    ProfileForm,
    RoleForm,
    ShopForm,
    country_spoken_of,
)
from apps.tenants.middleware import enter_shop
from apps.tenants.models import TIER_LIMITS, Permission, Role
from apps.tenants.scope import outside_scope
from apps.tenants.tables import is_id

AUDIT_PAGE = 50
WAIT_SECONDS = 300  # after which every throttle of the doors lets through again


# --- Oneself ------------------------------------------------------------------------------------------------------

@require_POST
@needs(Permission.READ, is_personal=True)
def switch_shop(request: ShopRequest) -> HttpResponse:
    """Look into another of one's shops from now on."""
    chosen = request.POST.get("tenant", "")
    place = selectors.memberships_of(request.user).filter(tenant_id=chosen).first() if is_id(chosen) else None
    if place is None:
        raise Http404
    enter_shop(request, place.tenant_id)
    return redirect("/")


@needs(Permission.READ, is_personal=True)
def profile(request: ShopRequest) -> HttpResponse:
    """One's own name, and the ways to a new password or address."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your name is changed."))
        return redirect("tenants:profile")
    return render(request, "tenants/profile.html", {"form": form})


@login_required
def new_shop(request: HttpRequest) -> HttpResponse:
    """A shop of one's own, for somebody who has none or wants another."""
    form = NewShopForm(request.POST or None, initial={"country": country_spoken_of(request)})
    if request.method == "POST" and form.is_valid():
        assert request.user.is_authenticated
        with outside_scope():
            tenant = services.make_tenant(name=form.cleaned_data["shop_name"], owner=request.user, **form.shop())
        enter_shop(request, tenant.pk)
        return redirect("/")
    return render(request, "tenants/new_shop.html", {"form": form})


@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """The door that an invitation opens: to sign up or in first, then to join."""
    found = selectors.invitation_by_token(token)
    if found is None:
        return render(request, "tenants/invitation_closed.html", status=410)
    if request.user.is_authenticated:
        if request.method == "POST":
            try:
                place = services.accept_invitation(token=token, user=request.user)
            except services.NotAllowed as refusal:
                messages.error(request, str(refusal))
                return redirect("tenants:invitation", token)
            request.session.pop(INVITATION_KEY, None)
            enter_shop(request, place.tenant_id)
            messages.success(request, _("Welcome to %(shop)s.") % {"shop": place.tenant})
            return redirect("/")
        is_theirs = found.email.lower() == request.user.email.lower()
        return render(request, "tenants/invitation.html", {"invitation": found, "is_theirs": is_theirs})
    request.session[INVITATION_KEY] = token
    if services.came_by_mail(token, request.GET.get("proof", "")):  # the link shown to who invites proves nothing
        get_adapter().stash_verified_email(request, found.email)
    query = urlencode({"next": reverse("tenants:invitation", args=[token])})
    return render(request, "tenants/invitation.html", {"invitation": found, "query": query})


def too_many(request: HttpRequest) -> HttpResponse:
    """What a throttled visitor sees; programs read how long to wait."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(WAIT_SECONDS)
    return response


# --- The shop -----------------------------------------------------------------------------------------------------

@needs(Permission.READ, to_change=Permission.ADMINISTER)
def shop(request: ShopRequest) -> HttpResponse:
    """The shop's name, country, currency and time zone; its plan and what that allows."""
    form = ShopForm(request.POST or None, instance=selectors.tenant_by_id(request.tenant.pk))
    if request.method == "POST" and form.is_valid():
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        if changed:
            services.change_tenant(tenant=request.tenant, actor=request.user, **changed)
            messages.success(request, _("The shop is changed."))
        return redirect("tenants:shop")
    limits = {name: request.tenant.limit(name) for name in TIER_LIMITS[request.tenant.tier]}
    return render(request, "tenants/shop.html", {"form": form, "limits": limits})


# --- People -------------------------------------------------------------------------------------------------------

def people_page(request: ShopRequest, form: InviteForm, **more: Any) -> HttpResponse:
    return render(request, "tenants/people.html", {
        "people": selectors.people_of(request.tenant), "invitations": selectors.open_invitations(request.tenant),
        "form": form, "roles": Role.choices, "seats": request.tenant.limit("people"), **more})


@require_safe
@needs(Permission.READ)
def people(request: ShopRequest) -> HttpResponse:
    """Who works in this shop, and who was asked to."""
    return people_page(request, InviteForm())


@require_POST
@never_cache
@sensitive_variables("token", "link", "mailed", "facts")
@needs(Permission.ADMINISTER)
def invite(request: ShopRequest) -> HttpResponse:
    """Ask somebody to join: their link goes by mail, and is shown once to who asked."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return people_page(request, form)
    try:
        made, token = services.invite_person(tenant=request.tenant, actor=request.user, **form.cleaned_data)
    except services.NotAllowed as refusal:
        form.add_error(None, str(refusal))
        return people_page(request, form)
    link = request.build_absolute_uri(reverse("tenants:invitation", args=[token]))
    mailed = f"{link}?{urlencode({'proof': services.mail_proof(token)})}"
    facts = {"invitation": made, "link": mailed, "who": request.user, "shop": request.tenant}
    send_mail(_("Join %(shop)s on Stockwright") % {"shop": request.tenant},
              render_to_string("tenants/invitation_mail.txt", facts), None, [made.email], fail_silently=True)
    return people_page(request, InviteForm(), link=link, invited=made)


@require_POST
@needs(Permission.ADMINISTER)
def withdraw(request: ShopRequest, pk: int) -> HttpResponse:
    """Close an invitation that nobody took."""
    found = get_object_or_404(selectors.open_invitations(request.tenant), pk=pk)
    services.withdraw_invitation(invitation=found, actor=request.user)
    messages.success(request, _("The invitation to %(email)s is withdrawn.") % {"email": found.email})
    return redirect("tenants:people")


@require_POST
@needs(Permission.ADMINISTER)
def change_role(request: ShopRequest, pk: int) -> HttpResponse:
    """Give a member another role."""
    member = get_object_or_404(selectors.people_of(request.tenant), pk=pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            services.change_role(membership=member, role=form.cleaned_data["role"], actor=request.user)
            messages.success(request, _("%(who)s is now %(role)s.") % {"who": member.user,
                                                                        "role": member.get_role_display()})
        except services.NotAllowed as refusal:
            messages.error(request, str(refusal))
    return redirect("tenants:people")


@require_POST
@needs(Permission.ADMINISTER)
def remove(request: ShopRequest, pk: int) -> HttpResponse:
    """Take somebody's place in this shop away."""
    member = get_object_or_404(selectors.people_of(request.tenant), pk=pk)
    try:
        services.remove_person(membership=member, actor=request.user)
        messages.success(request, _("%(who)s no longer has a place here.") % {"who": member.user})
    except services.NotAllowed as refusal:
        messages.error(request, str(refusal))
    return redirect("/" if member.user_id == request.user.pk else "tenants:people")


# --- Keys ---------------------------------------------------------------------------------------------------------

@never_cache
@sensitive_variables("secret")
@needs(Permission.READ, to_change=Permission.ADMINISTER)
def keys(request: ShopRequest) -> HttpResponse:
    """The keys of programs; a new one's secret is shown this once, and kept nowhere."""
    form, secret, issued = KeyForm(request.POST or None), "", None
    if request.method == "POST" and form.is_valid():
        try:
            issued, secret = services.issue_key(
                tenant=request.tenant, name=form.cleaned_data["name"], actor=request.user,
                permissions=form.cleaned_data["permissions"], expires_at=form.expires_at())
            form = KeyForm()
        except services.NotAllowed as refusal:
            form.add_error(None, str(refusal))
    return render(request, "tenants/keys.html", {
        "keys": selectors.keys_of(request.tenant), "form": form, "secret": secret, "issued": issued,
        "labels": dict(Permission.choices)})


@require_POST
@needs(Permission.ADMINISTER)
def revoke(request: ShopRequest, pk: int) -> HttpResponse:
    """Close a key for good."""
    found = get_object_or_404(selectors.keys_of(request.tenant), pk=pk)
    services.revoke_key(key=found, actor=request.user)
    messages.success(request, _("The key %(key)s no longer opens anything.") % {"key": found.name})
    return redirect("tenants:keys")


# --- Audit --------------------------------------------------------------------------------------------------------

@require_safe
@needs(Permission.READ)
def audit(request: ShopRequest) -> HttpResponse:
    """Who did what to what, and when."""
    found, words = selectors.audit_trail(request.tenant), request.GET.get("q", "").strip()
    if words:
        found = found.filter(Q(actor_label__icontains=words) | Q(target__icontains=words) | Q(action__icontains=words))
    page = Paginator(found, AUDIT_PAGE).get_page(request.GET.get("page"))
    return render(request, "tenants/audit.html", {"page": page})
