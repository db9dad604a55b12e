"""Where the targets' credentials come from: environment, file, encrypted store, Vault. It serves nobody."""
