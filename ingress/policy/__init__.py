"""Policy: who may do what through which connection, said in Cedar, decided before anything is forwarded."""
