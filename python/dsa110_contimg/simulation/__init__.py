"""Synthetic observations in the correlator's own layout: single groups and whole campaigns, with their truth."""

from dsa110_contimg.simulation.campaign import Campaign, CampaignSizes, campaign
from dsa110_contimg.simulation.group import (
    SimulatedGroup,
    choose_stations,
    random_sky,
    read_sky,
    simulate_group,
)
from dsa110_contimg.simulation.models import Dip, Flare, Lens, Periodic, Source

__all__ = [
    "Campaign",
    "CampaignSizes",
    "Dip",
    "Flare",
    "Lens",
    "Periodic",
    "SimulatedGroup",
    "Source",
    "campaign",
    "choose_stations",
    "random_sky",
    "read_sky",
    "simulate_group",
]
