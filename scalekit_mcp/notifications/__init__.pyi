from .grant_log import GrantLog as GrantLog
from .status_log import StatusLog as StatusLog
from .webhook import Webhook as Webhook
from .webhook import WebhookSender as WebhookSender
from .webhook import parse_secret as parse_secret
