"""What intake and portal both stand on: settings, database, models and the operations on tickets."""
