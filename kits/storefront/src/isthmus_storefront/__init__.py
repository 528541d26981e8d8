"""A shop's common part, a client of the platform's HTTP API: what a shop does not say itself is here."""

from __future__ import annotations

from .app import make, serve
from .currency import DOLLARS, Currency
from .forms import whole
from .platform import Platform, Refused
from .shop import ADDRESS, App, Form, Shop

__all__ = ["ADDRESS", "DOLLARS", "App", "Currency", "Form", "Platform", "Refused", "Shop", "make", "serve", "whole"]
