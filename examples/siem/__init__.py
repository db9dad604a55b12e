"""What a SIEM does with Tachograph: subscribes to the masked topic with its own group and reads OCSF."""
