"""The long run on a real node: see ``test_long_run``. ``make soak`` runs it after the crash tests without bounds."""
