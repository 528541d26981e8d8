"""Shoppers: one account for the group, and Isthmus as the OpenID Connect provider of its front ends."""
