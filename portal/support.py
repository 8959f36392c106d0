"""Django's admin for support: behind the operators' sign-in, for looking only."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _


class SupportSite(AdminSite):
    """Holds read-only pages only; sign-in, sign-out and passwords are the accounts' business."""

    site_header = _("Support")
    site_title = _("Support")
    index_title = _("Everything, for looking only")
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        # Other packages register pages that change things or show secrets; those stay out.
        if getattr(admin_class, "is_for_looking_only", False):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_authenticated and request.user.is_operator

    # Django promises a page here; a way elsewhere is as good for its one caller, the URLconf.
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("account_login")

    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        return redirect("account_logout")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        return redirect("account_change_password")
