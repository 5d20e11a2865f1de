// The one log-in of this tab. What stands behind the port is chosen here and nowhere else.

import { LocalSession } from "./local";
import type { SessionPort } from "./port";

export const session: SessionPort = new LocalSession();
export type { Pulse, SessionPort, SessionState } from "./port";
