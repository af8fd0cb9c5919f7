"""The tables, one file each. Importing this package makes all of them known to the metadata."""

from shared.models.alert import Alert
from shared.models.article import Article, ArticleKind
from shared.models.attachment import Attachment
from shared.models.blob import Blob
from shared.models.counter import Counter
from shared.models.delivery import Delivery, DeliveryCause, DeliveryState
from shared.models.event import Event, EventKind
from shared.models.fingerprint import Fingerprint
from shared.models.inbound import InboundMessage, InboundRaw, InboundState
from shared.models.login_throttle import LoginThrottle
from shared.models.mailbox import FolderCursor, Mailbox, Policy
from shared.models.message_ref import MessageRef
from shared.models.participant import Participant, ParticipantRole
from shared.models.registration import Registration, RegistrationPurpose
from shared.models.ticket import Priority, Status, Ticket, TicketTombstone
from shared.models.user import Address, Role, User

__all__ = [
    "Address",
    "Alert",
    "Article",
    "ArticleKind",
    "Attachment",
    "Blob",
    "Counter",
    "Delivery",
    "DeliveryCause",
    "DeliveryState",
    "Event",
    "EventKind",
    "Fingerprint",
    "FolderCursor",
    "InboundMessage",
    "InboundRaw",
    "InboundState",
    "LoginThrottle",
    "Mailbox",
    "MessageRef",
    "Participant",
    "ParticipantRole",
    "Policy",
    "Priority",
    "Registration",
    "RegistrationPurpose",
    "Role",
    "Status",
    "Ticket",
    "TicketTombstone",
    "User",
]
