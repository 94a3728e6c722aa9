"""Who may use what: the table of the REST API, and whose the sockets are. Routes, schema and checks are made of it."""

from collections.abc import Mapping
from typing import Final

from chatcore.analytics import reviews
from chatcore.edges import api, attachments, metrics, notices, openapi, quality, rest
from chatcore.edges import views as v
from chatcore.edges.api import Call, Route
from chatcore.tokens import ROLES, Role


async def description(call: Call) -> bytes:
    """This description."""
    return DOCUMENT


UNTRUSTED: Final = (("Content-Disposition", "attachment"), ("X-Content-Type-Options", "nosniff"))
SOCKETS: Final[Mapping[bytes, Role]] = {b"/v1/chat": "customer", b"/v1/desk": "operator"}
ROUTES: Final = (
    Route("GET", "/healthz", None, rest.healthz, v.Health),
    Route("GET", "/v1/openapi.json", None, description, dict),
    Route(
        "GET", "/metrics", ("supervisor", "auditor", "admin"), metrics.metrics, str,
        admits=api.on_loopback, media=metrics.MEDIA,
    ),
    Route("GET", "/v1/state", ("supervisor", "auditor", "admin"), rest.state, v.State),
    Route("POST", "/v1/operators", ("admin",), rest.operators, v.Added, body=v.Operators),
    Route(
        "GET", "/v1/history/{account}/{user}", ("customer", "operator", "auditor", "admin"), rest.history, v.History,
        v.ContactPath, v.HistoryQuery,
    ),
    Route("GET", "/v1/audit/{partition}", ("auditor", "admin"), rest.audit, v.Audit, v.PartitionPath, v.AuditQuery),
    Route(
        "POST", "/v1/files", ("customer", "operator"), attachments.upload, v.Uploaded, body=bytes, status=201,
    ),
    Route(
        "GET", "/v1/files/{ref}", ROLES, attachments.download, bytes, v.FilePath, v.FileQuery,
        admits=attachments.has_link, media=api.BYTES, headers=UNTRUSTED,
    ),
    Route(
        "GET", "/v1/files/{ref}/{name}", ROLES, attachments.linked, bytes, v.NamedFilePath, v.FileQuery,
        admits=attachments.has_link, media=api.BYTES, headers=UNTRUSTED,
    ),
    Route(
        "GET", "/v1/blocked", ("supervisor", "auditor", "admin"), rest.blocked, v.BlockedContacts, query=v.BlockedQuery,
    ),
    Route("PUT", "/v1/blocked/{account}/{user}", ("supervisor", "admin"), rest.block, v.Blocking, v.ContactPath),
    Route("DELETE", "/v1/blocked/{account}/{user}", ("supervisor", "admin"), rest.unblock, v.Blocking, v.ContactPath),
    Route("POST", "/v1/notices", ("supervisor", "admin"), notices.notify, v.Notices, body=v.Notice),
    Route("PUT", "/v1/consent/{account}/{user}", ("supervisor", "admin"), notices.agree, v.Agreement, v.ContactPath),
    Route(
        "DELETE", "/v1/consent/{account}/{user}", ("supervisor", "admin"), notices.disagree, v.Agreement, v.ContactPath,
    ),
    Route(
        "GET", "/v1/analytics", ("supervisor", "auditor", "admin"), quality.analytics, v.Analytics,
        query=v.AnalyticsQuery,
    ),
    Route("GET", "/v1/reviews", ("reviewer", "admin"), quality.waiting, v.ToReview, query=v.ReviewsQuery),
    Route(
        "GET", "/v1/reviews/{account}/{user}/{number}", ("reviewer", "admin"), quality.read, v.Reviewed, v.DialogPath,
        v.ReviewQuery,
    ),
    Route(
        "PUT", "/v1/reviews/{account}/{user}/{number}", ("reviewer", "admin"), quality.review, reviews.Review,
        v.DialogPath, body=v.Scored,
    ),
    Route("GET", "/v1/billing", ("supervisor", "auditor", "admin"), notices.billing, v.Bills),
)  # fmt: skip
DOCUMENT: Final = openapi.document(ROUTES)
