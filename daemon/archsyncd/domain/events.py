"""What the journal tells: one constant id per class of event, how loud it is, its cause and remedy. Knows no journal.

Ids never change and are never reused: filters, alerts and the message catalog stand on them.
"""

from __future__ import annotations

from enum import Enum

from archsyncd.domain.explained import Explained
from archsyncd.domain.explained.journal import EXPLAIN_KIND, SHOW_CASE, EventText
from archsyncd.domain.explained.shape import CHECK_ONLINE

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50


class Event(Enum):
    """Every class of event; the value is its text."""

    STARTED = EventText(
        "b38fae3d6fcb469fb350ea8001cd9598",
        INFO,
        "Started",
        "The store is open and checked, the credentials are read, operations in doubt are listed.",
        "Nothing to do.",
    )
    STOPPING = EventText(
        "107b1fa2799648b49dafdd8f71f4c01f",
        INFO,
        "Stopping",
        "A stop was asked for: nothing new begins, what is under way finishes.",
        "Nothing to do; a second stop leaves at once and the next start settles what was cut off.",
    )
    STOPPED = EventText(
        "f14a459dcdc84050ab7fcb37c12f4b05", INFO, "Stopped", "The stop is complete.", "Nothing to do."
    )
    FATAL = EventText(
        "cc354379f8ea4e6db9de16a06c19d29a",
        CRITICAL,
        "Ended by an error",
        "The process cannot go on; its message says why. Status 78, 64, 74 and 73 are not restarted by systemd.",
        "Do what the message says, then start the service.",
        impact="Nothing is kept in step until it runs again: published stock grows old, orders are not handed over.",
        by_itself="Nothing is lost: sources are told of a record only once it is stored.",
        closes="It is over when the service runs.",
        look=("systemctl status archsyncd", "archsyncd check-config"),
        commands=("systemctl start archsyncd",),
    )
    RELOADED = EventText(
        "6fae419b6f4b4d2882563b7c0fa68170",
        INFO,
        "Configuration reloaded",
        "A reload was asked for and the new configuration is in force.",
        "Keys that need a restart are named in the message.",
    )
    CONFIGURATION_REFUSED = EventText(
        "30c083d4a2a442b38cd6ec2c30e5a026",
        ERROR,
        "Configuration refused",
        "The configuration has faults. After a reload the one before stays in force.",
        "Correct the places named, check again, and reload or start.",
        impact="What was changed in it is not in force.",
        by_itself="After a reload it goes on with the configuration before; at a start it does not start.",
        closes="It is over with the next reload or start that finds no fault.",
        look=("archsyncd check-config",),
        commands=("archsyncctl reload",),
    )
    STORE_FULL = EventText(
        "4805ab77cf9b4e1ba40cd3780f3fd319",
        CRITICAL,
        "No room on the disk",
        "The state directory's disk is full: intake has stopped, nothing is lost, what is stored still drains.",
        "Make room; intake resumes by itself.",
        impact="New figures and orders are not taken in: published stock grows old.",
        by_itself="Tries again by itself; what is stored already is written to commercetools.",
        closes="It is over when there is room.",
        look=("df --human-readable /var/lib/archsyncd", "journalctl --disk-usage"),
    )
    PLACE_DOUBTFUL = EventText(
        "8c8b77a75eea48b4927cfd1c3f1686ca",
        WARNING,
        "The state directory lies in a doubtful place",
        "Its filesystem does not outlive the container or the machine.",
        "Give the service a volume or a local disk for its state.",
        impact="None now; when the state is lost, stock is taken over anew and all orders are asked for again.",
        by_itself="Goes on.",
        closes="It is told once at each start until the place is another.",
        look=("findmnt --target /var/lib/archsyncd",),
    )
    LEASE_HELD = EventText(
        "59aa274361744f2d99e907c00f1870ce",
        INFO,
        "This host writes",
        "The single-writer lease was taken.",
        "Nothing to do.",
    )
    LEASE_STANDBY = EventText(
        "6037998e751043a3a93c8c6c1c795684",
        WARNING,
        "Standing by",
        "Another host holds the single-writer lease.",
        "Right for a standby. Otherwise stop the daemon on the other host.",
        impact="None while the other host keeps stock in step.",
        by_itself="Writes nothing, and takes the lease when it runs out.",
        closes="It is over when this host holds the lease.",
        look=("archsyncctl status",),
    )
    LEASE_UNREACHABLE = EventText(
        "a4c03a4cbbda46fd9938c2d24e2ac2c8",
        WARNING,
        "The lease cannot be renewed",
        "commercetools did not answer for the lease. Once it may have run out increases stop; decreases go on.",
        "See whether commercetools is reachable and the scope manage_key_value_documents is granted.",
        impact="Fewer pieces may be on sale than there are, never more.",
        by_itself="Tries again by itself, and raises what waits once the lease is certain.",
        closes="It is over when the lease is renewed.",
        look=("archsyncctl status", CHECK_ONLINE),
    )
    LEASE_REGAINED = EventText(
        "c092e34246644d6faa371449a6538475",
        INFO,
        "The lease is renewed again",
        "commercetools answers for the lease again.",
        "Nothing to do.",
    )
    PUMP_FAILED = EventText(
        "e1bf3ca685274a9ba5de156618d20e80",
        ERROR,
        "A part failed and is started again",
        "An error that was not expected ended one loop.",
        "If it comes back, report it with the error that stands in this entry.",
        impact="What the part does is late by the pause that the entry names.",
        by_itself="Starts the part again, after pauses that grow; the others go on.",
        closes="It is over when the part runs on.",
        look=("archsyncctl status", "journalctl --unit archsyncd --priority err"),
    )
    FEED_FAILING = EventText(
        "e236d462c3b24871a2e8b8bdc7e7cd13",
        WARNING,
        "A feed cannot be read",
        "The source does not answer as agreed; it is tried again ever more rarely.",
        "See the reason in the message, and whether the source is up.",
        impact="Published stock grows old while it lasts.",
        by_itself="Goes on from the place that it had reached; nothing is skipped.",
        closes="It is over when the feed is read again.",
        look=("archsyncctl status", CHECK_ONLINE),
    )
    FEED_STALE = EventText(
        "58bb2b2ebc534d3c8fa2bff953d3f781",
        WARNING,
        "A feed is stale",
        "No sign of life came from the source for longer than agreed.",
        "Ask the warehouse whether its export runs.",
        impact="Stock that is sold meanwhile is what it last told: goods sold elsewhere are still on sale.",
        by_itself="Tries the feed again by itself; what [health] says of silent locations applies.",
        closes="It is over when the feed gives a sign of life.",
        look=(SHOW_CASE, EXPLAIN_KIND),
    )
    FEED_RECOVERED = EventText(
        "54fcddfcfbd1476bbbec3e9d2de323ec",
        INFO,
        "A feed is well again",
        "Records come as agreed.",
        "Nothing to do.",
    )
    SNAPSHOT_HELD = EventText(
        "fe3586a0cf83418c9f8d6814a71ab0ba",
        ERROR,
        "A snapshot is held",
        "It would change more than the guards allow; nothing of it is published.",
        "Look at it and decide: approve it by its digest, or reject it.",
        impact="Quantities stay as they were, but for single changes, which go on.",
        by_itself="Keeps the snapshot as it came; a newer one of the same places takes its place.",
        closes="It is over when it is approved or rejected, or a newer one has come.",
        look=(SHOW_CASE, "archsyncctl snapshot list"),
    )
    CASE_OPENED = EventText(
        "a4e335f330db44a7b0c2901167dd4662",
        WARNING,
        "An exception was opened",
        "Something was set aside for a person.",
        "Read its reason and do its next step.",
        impact="What the shop, the warehouse or finance notices depends on its kind.",
        by_itself="Goes on with everything else; most cases close themselves when their cause is gone.",
        closes="It is over when the exception is resolved or dismissed.",
        look=(SHOW_CASE, EXPLAIN_KIND),
    )
    CASE_RESOLVED = EventText(
        "c5944943a1c6446d9996b75b794c014d",
        INFO,
        "An exception was resolved",
        "Its cause is gone, or a person closed it.",
        "Nothing to do.",
    )
    COMMERCETOOLS_THROTTLED = EventText(
        "f4885fbeb20d4bb48343aaabb0c05372",
        WARNING,
        "commercetools asks for fewer requests",
        "It answers 429 or 503; the rate is lowered, decreases go first.",
        "If it lasts, lower requests_per_second or ask for a higher limit.",
        impact="Increases take longer to be on sale; decreases too where it lasts.",
        by_itself="Finds the rate that is taken, and raises it again carefully.",
        closes="It is over when no request is turned away any more.",
        look=("archsyncctl backlog", "archsyncctl status"),
    )
    COMMERCETOOLS_DOWN = EventText(
        "03fc2c1c1bfa4991916b8f83e8b58d2f",
        CRITICAL,
        "commercetools does not answer",
        "It has not answered for a while; it is probed, and changes wait in the outbox.",
        "See status.commercetools.com and the way there from this host.",
        impact="Published stock grows old, and new orders are not seen.",
        by_itself="Goes on by itself when it answers, decreases first; nothing is lost.",
        closes="It is over when commercetools answers again.",
        look=("archsyncctl status", CHECK_ONLINE),
    )
    COMMERCETOOLS_RECOVERED = EventText(
        "1c2af0ac061548808a3f9bd9a226fc76",
        INFO,
        "commercetools answers again",
        "Requests succeed at the configured rate.",
        "Nothing to do.",
    )
    SCOPE_MISSING = EventText(
        "17931b73499744d787ad154def49a6d4",
        ERROR,
        "A scope is missing",
        "The API client may not do what this part needs; the part waits, the others go on.",
        "Grant the scope named in the message to an API client and use its credential.",
        impact="Depends on the part: without the marker's type nothing is written.",
        by_itself="Tries again by itself.",
        closes="It is over when the scope is granted.",
        look=(CHECK_ONLINE,),
    )
    FOREIGN_WRITER = EventText(
        "04b0341bef6844f089f7cc50ab9dbe1b",
        WARNING,
        "Somebody else changed stock",
        "An entry does not carry the marker that we wrote last.",
        "Find who writes stock beside this service and stop it.",
        impact="For a moment more or fewer pieces were on sale than there are.",
        by_itself="Takes the entry's base anew, lowers at once where it must, and raises only after a clean read.",
        closes="It is over when a clean read has proven the entry's base.",
        look=(SHOW_CASE, EXPLAIN_KIND),
        owner="ecommerce",
    )
    DRIFT = EventText(
        "31d789d8dd48465ab739f1edb73ee895",
        WARNING,
        "Stock differs from what it should be",
        "A reading of an entry contradicts the ledger.",
        "Nothing to do once; if it comes often, somebody else writes stock: find out who.",
        impact="Shoppers saw a wrong quantity until it was corrected.",
        by_itself="Corrects the difference by marked increments.",
        closes="It is over when a clean read agrees.",
        look=(SHOW_CASE, EXPLAIN_KIND),
        owner="ecommerce",
    )
    PAGE_UNSERVED = EventText(
        "84463ee8e1a5443fba1b55f070304c9c",
        WARNING,
        "Something is not served over HTTP",
        "A socket that systemd opened, or an address in the configuration, cannot be used for what it is meant for.",
        "See the reason in the message; archsyncd-status.socket and archsyncd-webhook.socket open the sockets.",
        impact="The status page or a source's calls get no answer, or 503; stock and orders go on.",
        by_itself="Goes on with all else.",
        closes="It is over with a start that can serve it.",
        look=("systemctl status archsyncd-status.socket archsyncd-webhook.socket",),
    )
    OPERATOR = EventText(
        "a533942817074d7fa9fd62079efcd603",
        INFO,
        "An operator acted",
        "A command came through the control socket.",
        "Nothing to do.",
    )
    SUPPRESSED = EventText(
        "9ab6288c2c7842948e66be3d60531e3f",
        WARNING,
        "Messages were suppressed",
        "More messages of one kind came than are worth reading.",
        "The number stands in the message; metrics and exceptions count every one.",
        impact="None: only the telling is cut, nothing of the work.",
        by_itself="Tells on when fewer come.",
        look=("archsyncctl exceptions list", "archsyncctl status"),
    )
    JOURNAL_DROPPED = EventText(
        "12014a993a3047fa9a738cf3f6a96670",
        WARNING,
        "Messages were lost",
        "The journal did not take messages for a while; the service never waits for it.",
        "See whether systemd-journald was stopped or its disk was full.",
        impact="Only messages are missing from the journal.",
        by_itself="Goes on with its work, and tells how many were lost.",
        closes="It is over when the journal takes messages again.",
        look=("systemctl status systemd-journald", "journalctl --disk-usage"),
    )
    OTHER = EventText(
        "d8fb548ac5b24f8282b48de033c56761",
        INFO,
        "A message",
        "Told by a part that has no class of its own for it, or by a library.",
        "Read the message.",
    )


def explained(event: Event) -> Explained:
    """What an event means, as every other code is told; its code is its name in small letters."""
    return event.value.explained(event.name)


def catalog() -> str:
    """The message catalog for `journalctl -x` (catalog format of journald, section "Message Catalogs")."""
    return "\n".join(event.value.catalogued() for event in Event)
