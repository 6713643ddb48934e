// Scripts of the report and of the list of clips.
import { improveTables } from "./tables.js";

improveTables();
