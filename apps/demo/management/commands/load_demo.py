"""Makes the demo: its shops, its people, a year of purchases, and the first recommendations."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.demo import selectors, services
from apps.demo.management.watch import Watch
from apps.demo.recast.shops import SHOPS, SMALL_SHOP
from apps.tenants.scope import tenant_context


class Command(BaseCommand):
    help = str(gettext_lazy("Load the demo and wait for its first recommendations; run again, it shows the way in."))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--small", action="store_true",
                            help=_("one small shop with 60 days of sales instead of the two"))
        parser.add_argument("--quick", action="store_true",
                            help=_("stop after the first recommendations: no contest of models, no replay, no proof"))
        parser.add_argument("--began", type=float, metavar="SECONDS",
                            help=_("the moment of this machine's monotonic clock from which to count"))
        parser.add_argument("--address", default="http://127.0.0.1:8000/", help=_("where the portal answers"))

    def handle(self, *args: Any, **options: Any) -> None:
        watch = Watch(self.stdout.write) if options["began"] is None else Watch(self.stdout.write, options["began"])
        tenants = [services.make_shop(slug=slug) for slug in ([SMALL_SHOP.slug] if options["small"] else SHOPS)]
        sign_ins = services.make_people(tenants=tenants)
        is_waiting = False
        for tenant in tenants:
            with tenant_context(tenant.pk):
                services.go_on_loading(is_quick=options["quick"])
                is_waiting = is_waiting or not selectors.has_first_recommendations()
        if is_waiting:
            self.show_sign_ins(sign_ins, options["address"])
        watch.until(tenants, lambda _tenant: selectors.has_first_recommendations(),
                    (selectors.LOAD, *selectors.FIRST_STEPS))
        for tenant in tenants:
            tenant.refresh_from_db()
            watch.tell(_("%(shop)s has its recommendations; it stands on %(today)s.")
                       % {"shop": tenant.name, "today": date_format(tenant.today(), "j M Y")})
        self.show_sign_ins(sign_ins, options["address"])

    def show_sign_ins(self, sign_ins: list[services.SignIn], address: str) -> None:
        """Said before the loading, which the portal shows, and after it, where nobody has to scroll for it."""
        address = address.rstrip("/") + "/"
        self.stdout.write(f"\n{_('The portal')}    {address}\n{_('The operators’ admin')}    {address}admin/\n")
        for person in sign_ins:
            self.stdout.write(f"  {person.email:<32}{person.password:<18}{person.name}: {person.may}")
