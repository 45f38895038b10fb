"""Acting on what is wrong: claims, arbitration, and the door that every act passes."""
