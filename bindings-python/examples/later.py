"""Jobs in the background: later, again and again, and what the server says of them."""

from datetime import datetime, timedelta, timezone

import lineshaft

with lineshaft.Server() as server, lineshaft.Client(server) as client, lineshaft.Admin(server) as admin:
    client.submit("mail", b"to everybody", run_at=datetime(2100, 1, 1, tzinfo=timezone.utc))
    client.submit("mail", b"to a few", delay=timedelta(hours=1), unique="few")
    nightly = client.submit("backup", b"/var", schedule="0 3 * * *")
    print(admin.status())
    print(admin.schedules()[0].fields)
    admin.cancel(nightly.handle)
    print(client.status_by_unique("few"))
