"""The roster: the organisation's employees, from a file that HR exports."""
