"""The modules of chainrule.nn, by kind."""
