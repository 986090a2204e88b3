"""Fluxes at known positions, their normalisation, variability, and ESE candidates."""
