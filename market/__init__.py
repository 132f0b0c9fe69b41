"""The nouns of a market: candles, intervals, symbols, predictions, errors. They know no tool."""
