"""What a workflow's rules can do, by subject; importing a module registers its actions.

Each action has a plan, which only says what it would do, and a deed, which is one call of a verb. A deed raises what
its verb raises: the transition stands, and a person sees what could not be done.
"""
