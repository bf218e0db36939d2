"""Python imports this at the start of every process whose PYTHONPATH names this folder: breaks the product if asked."""

import os

if mutant := os.environ.get("FAULTS_MUTANT"):
    from tests.faults.mutants.broken import break_product

    break_product(mutant, os.environ.get("STREAMAPP_INSTANCE", ""))
