"""What is sent to a service: routes, their requests, and what their answers mean."""

from tidemark.routes.reading import parse_route, read_headers, read_routes, with_headers
from tidemark.routes.route import Request, Route

__all__ = ["Request", "Route", "parse_route", "read_headers", "read_routes", "with_headers"]
