// The one log-in of this tab. What stands behind the port is chosen here and nowhere else.

import { ClientSession } from "./client";
import type { SessionPort } from "./port";

export const session: SessionPort = new ClientSession(window.location.origin);
