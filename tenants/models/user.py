"""People who sign in, to any number of tenants or to the operator console."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7


class OperatorRole(models.TextChoices):
    CAPACITY = "capacity", _("Capacity")
    FINANCE = "finance", _("Finance")
    SUPPORT = "support", _("Support")
    ADMIN = "admin", _("Administrator")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a person who can sign in; the address is stored in lower case."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person. What they may do comes from memberships or the operator role, never from here."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("email address"), unique=True)
    display_name = models.CharField(_("name"), max_length=100, blank=True)
    language = models.CharField(max_length=10, blank=True)
    is_active = models.BooleanField(default=True)
    operator_role = models.CharField(
        max_length=20, choices=OperatorRole.choices, blank=True, default=""
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="tenants_user_email_lower"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.email

    @property
    def is_operator(self) -> bool:
        return bool(self.operator_role) and self.is_active

    # Django's admin, mounted read-only, asks these three.
    @property
    def is_staff(self) -> bool:
        return self.is_operator

    def has_perm(self, perm: str, obj: object | None = None) -> bool:
        return self.is_operator and perm.split(".")[-1].startswith("view_")

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_operator
