"""The independent checker: own readers, own rules, own bound; an import contract keeps the solver's code out."""
