"""Calibration: flag, model, solve K/B/G, apply; tables are CASA directories.

The stages of this package run in the core (`stages`); `calibration`, `applycal`, `model`, `flagging`, `validate` and
`catalogs` keep the names and arguments that scripts of the original pipeline use.
"""
