"""The two tables of the project, tiers and model types, as typed rows.

The YAML files beside this module are the only place where their values are written; `copier.yml`
includes the same files.
"""

from spaces_gen.tables.model_types import Estimate, ModelType, load_model_types
from spaces_gen.tables.quotas import load_quotas
from spaces_gen.tables.tiers import Tier, load_tiers

__all__ = ["Estimate", "ModelType", "Tier", "load_model_types", "load_quotas", "load_tiers"]
