"""The rules of a site at an instant, as its profile has them."""

from services.policy.desk import SiteProfiles

__all__ = ["SiteProfiles"]
