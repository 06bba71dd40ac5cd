"""Drops of CSV and JSON files into a folder, for HR systems that import files."""
