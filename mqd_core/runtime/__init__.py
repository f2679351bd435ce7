"""The impure shell: stores, feeds, effects and threads around the engine. May import engine, ports and api."""
