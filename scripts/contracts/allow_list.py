"""An import contract that import-linter lacks: a package may import what is listed and nothing else."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowListContract(Contract):
    """``package`` (a module and all below it) imports only ``allowed`` modules or what lies below them.

    The standard library is no part of the graph's own packages, but with external packages included it shows as
    top-level names; submodules such as ``collections.abc`` come as their top level.
    """

    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look at every direct import of every module in the package."""
        package = str(self.package)
        allowed = {str(name) for name in self.allowed}  # type: ignore[attr-defined]  # a set once validated
        inside = {package} | set(graph.find_descendants(package))
        broken = [
            (importer, imported)
            for importer in sorted(inside)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not any(imported == name or imported.startswith(f"{name}.") for name in allowed)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line an import."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} must not import {imported}")
