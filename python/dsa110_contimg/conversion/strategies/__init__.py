"""Strategies of conversion, under the names of the original system."""
