from .accounts import ScalekitAccounts as ScalekitAccounts
from .keeper import ScalekitKeeper as ScalekitKeeper
from .mailbox import ScalekitMailbox as ScalekitMailbox
from .params import check_supported as check_supported
from .rest import ScalekitError as ScalekitError
from .rest import ScalekitRest as ScalekitRest
from .wire_account import WireAccount as WireAccount
from .wire_account import meaning_of as meaning_of
