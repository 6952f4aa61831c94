"""What happens once in the life of a database."""

from sqlite_utils import Database

ADMIN_REGISTERED = "admin registered"


def milestones(database: Database) -> None:
    # Every start of the versions before registered the token of the admin, which is a change like any other. Whether it
    # has been revoked since makes no difference: it is not registered again.
    database.execute("CREATE TABLE milestone (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID")
    database.execute(
        "INSERT INTO milestone SELECT ?, 0 WHERE EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'change')",
        (ADMIN_REGISTERED,),
    )
