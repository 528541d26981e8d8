"""Owns persons of the group, their memberships, tiers, points and addresses. Does not own sign-in or orders."""
