"""Stages, the runner, and what happens when one fails."""
