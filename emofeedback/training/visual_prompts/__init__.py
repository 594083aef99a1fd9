"""The recipe of visual prompts: bank, picture encoder, adapter, DPO pairs."""
