"""The actions that rules of a workflow can perform, by subject; importing a module registers its actions.

Each action has a plan, which describes what it would do, and a function that does it with one call to another package.
If that call refuses, the transition stands and a person sees which action failed, and why.
"""
