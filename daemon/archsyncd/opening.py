"""The database of a configuration: whose it is, opened, moved to another host, and what it means when it cannot be used."""

from __future__ import annotations

from archsyncd.adapters import host_lock
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore, open_store
from archsyncd.assembly import rules_of
from archsyncd.config import Settings
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_RESTART, EXIT_STORE, Fatal
from archsyncd.domain.rules import Rules
from archsyncd.engine.naming import Terms
from archsyncd.engine.ports import StoreBroken, StoreFull, StoreNewer, StoreTracked
from archsyncd.listed_files import RolloutFault
from archsyncd.policy_files import PolicyFileFault, terms_of
from archsyncd.world import World


async def adopt(settings: Settings, world: World) -> str:
    """Let the database in the state directory belong to this host, and its project be reached as configured. Raises Fatal.

    Another project's database is refused: that is told apart by the project's key, whatever the address.
    """
    database = settings.daemon.state_dir / DATABASE_NAME
    rules = stated_rules(settings)
    lock = host_lock.take(settings.daemon.state_dir, world.pid)
    try:
        if not database.exists():
            raise Fatal(
                EXIT_CONFIGURATION,
                f"there is no {database} to adopt: put the copied file there first; `archsyncd run` makes a new one",
            )
        store = await opened(settings, world, rules)
        try:
            wanted, found = project_of(settings), store.ledger.project
            if found and _key_of(found) != settings.commercetools.project_key:
                raise Fatal(EXIT_CONFIGURATION, another_project(settings, found, wanted))
            await store.move(project=wanted, host=world.host_id)
        finally:
            await store.close()
    finally:
        lock.release()
    moved = f", which was {found or 'not named'} before" if found != wanted else ""
    return f"the database of {wanted}{moved}, belongs to this host now"


def stated_rules(settings: Settings) -> Rules:
    """The rules of a configuration. Raises Fatal where a file that it names cannot be used."""
    try:
        return rules_of(settings)
    except (RolloutFault, PolicyFileFault) as fault:
        raise Fatal(EXIT_CONFIGURATION, str(fault)) from fault


def stated_terms(settings: Settings) -> Terms:
    """How the sources' terms become ours. Raises Fatal where a file of aliases or units cannot be used."""
    try:
        return terms_of(settings)
    except PolicyFileFault as fault:
        raise Fatal(EXIT_CONFIGURATION, str(fault)) from fault


def project_of(settings: Settings) -> str:
    """What a database is pinned to. The address counts: one key may name a project in each of two regions."""
    return f"{settings.commercetools.project_key} at {settings.commercetools.api_address}"


def _key_of(project: str) -> str:
    return project.partition(" at ")[0]


def another_project(settings: Settings, found: str, wanted: str) -> str:
    """What to tell whoever configured one project on the database of another, or of another address."""
    database = settings.daemon.state_dir / DATABASE_NAME
    told = f"{database} belongs to the project {found or '(none)'}, the configuration names {wanted}"
    if found and _key_of(found) != _key_of(wanted):
        return f"{told}: give each project its own state_dir"
    return (
        f"{told}: if that is the same project by another address, as behind a private link, run `archsyncd adopt` once; "
        "if it is another region's project of the same key, give it its own state_dir"
    )


def another_mode(settings: Settings) -> str:
    """What to tell whoever configured the untracked mode on a database that has counted tracked orders."""
    database = settings.daemon.state_dir / DATABASE_NAME
    return (
        f'{database} was kept with commercetools.inventory_mode = "tracked" and counts orders that took their pieces out of the '
        "entries; untracked, every figure written would put these pieces on sale again. Nothing was written. Set inventory_mode "
        'to "tracked" again; or, once no cart is tracked any more, move the file aside and start: a new database reads the open '
        "orders anew and raises nothing before it knows them"
    )


async def opened(settings: Settings, world: World, rules: Rules) -> SqliteStore:
    """Open the store of a configuration. Raises Fatal with the status that says what to do."""
    try:
        return await open_store(
            settings.daemon.state_dir,
            world.clock,
            rules,
            project=project_of(settings),
            host=world.host_id,
            new_ledger_id=world.new_id(),
        )
    except StoreNewer as error:
        raise Fatal(EXIT_STORE, str(error)) from error
    except StoreTracked as error:
        raise Fatal(EXIT_CONFIGURATION, another_mode(settings)) from error
    except StoreFull as error:
        # Room or the other process's lock may be back at the next start.
        raise Fatal(EXIT_RESTART, str(error)) from error
    except StoreBroken as error:
        raise damaged(error) from error


def damaged(error: StoreBroken) -> Fatal:
    """The end of the process over a file that cannot be trusted: a restart would not mend it."""
    return Fatal(
        EXIT_STORE,
        f"{error}. Look at the disk first; then move the file aside and start again: stock is taken over anew "
        "from the markers in commercetools and a snapshot, and nothing is raised before it is proven",
    )
