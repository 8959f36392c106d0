"""The documents' typeface: Noto Sans SC, cut to the characters that Chinese business text uses."""
