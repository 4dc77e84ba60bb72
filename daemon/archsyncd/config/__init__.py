"""The configuration: TOML to frozen settings, every fault at once; credentials; explanations. Starts nothing.

settings.py and beside it sources, platform, rules, service    the settings, each key declared beside its field
keys.py  kinds.py  addresses.py                                what a declaration is, what a key may hold
reading.py  drafting.py  positions.py  crosscheck.py           text to settings or faults with line and column
loading.py  credentials.py  secrecy.py                         a real start: files, credentials, environment
explaining.py  comparing.py  mapping.py                        for people: a key, a reload, the mapping
"""

from archsyncd.config.addresses import ListenAddress, Reflection
from archsyncd.config.comparing import changes, in_force
from archsyncd.config.credentials import (
    Secret,
    credential_directory,
    has_credential,
    read_credential,
    read_secret,
)
from archsyncd.config.explaining import Described, described, explain
from archsyncd.config.faults import (
    EXIT_CONFIGURATION,
    ConfigurationFaults,
    CredentialFault,
    CredentialMissing,
    Fault,
    UnknownKey,
)
from archsyncd.config.loading import (
    ALERT_WEBHOOK,
    ALERT_WEBHOOK_SECRET,
    CLIENT_SECRET,
    ORDER_NOTIFICATIONS,
    STATUS_TOKEN,
    key_credential,
    load,
    optional_credentials,
    required_credentials,
)
from archsyncd.config.mapping import MappingNote, Weight, mapping_report
from archsyncd.config.naming import AliasSettings, UnitSettings, factor_of
from archsyncd.config.platform import CommercetoolsSettings, DrainSettings, LeaseSettings, ReconcileSettings
from archsyncd.config.quieting import zone_of
from archsyncd.config.reading import read_settings
from archsyncd.config.rules import (
    EligibleSettings,
    FulfilmentSettings,
    GuardSettings,
    HealthSettings,
    OrderSettings,
    RolloutSettings,
)
from archsyncd.config.secrecy import refuse_secrets, secret_faults
from archsyncd.config.service import (
    EXCEPTION_KINDS,
    AlertSettings,
    DaemonSettings,
    OwnerSettings,
    StatusSettings,
)
from archsyncd.config.settings import Settings
from archsyncd.config.signing import SignatureSettings
from archsyncd.config.sources import ChannelSettings, FeedSettings, LocationSettings

__all__ = [
    "ALERT_WEBHOOK",
    "ALERT_WEBHOOK_SECRET",
    "CLIENT_SECRET",
    "EXCEPTION_KINDS",
    "EXIT_CONFIGURATION",
    "ORDER_NOTIFICATIONS",
    "STATUS_TOKEN",
    "AlertSettings",
    "AliasSettings",
    "ChannelSettings",
    "CommercetoolsSettings",
    "ConfigurationFaults",
    "CredentialFault",
    "CredentialMissing",
    "DaemonSettings",
    "Described",
    "DrainSettings",
    "EligibleSettings",
    "Fault",
    "FeedSettings",
    "FulfilmentSettings",
    "GuardSettings",
    "HealthSettings",
    "LeaseSettings",
    "ListenAddress",
    "LocationSettings",
    "MappingNote",
    "OrderSettings",
    "OwnerSettings",
    "ReconcileSettings",
    "Reflection",
    "RolloutSettings",
    "Secret",
    "Settings",
    "SignatureSettings",
    "StatusSettings",
    "UnitSettings",
    "UnknownKey",
    "Weight",
    "changes",
    "credential_directory",
    "described",
    "explain",
    "factor_of",
    "has_credential",
    "in_force",
    "key_credential",
    "load",
    "mapping_report",
    "optional_credentials",
    "read_credential",
    "read_secret",
    "read_settings",
    "refuse_secrets",
    "required_credentials",
    "secret_faults",
    "zone_of",
]
