// The session in React: who is signed in, as state that components follow.

import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useSyncExternalStore,
} from "react";
import type { SessionState } from "./events.js";
import type { Session } from "./session.js";

/** What `useSession` gives. */
export interface UseSession {
  readonly session: Session;
  readonly state: SessionState;
}

/** What `SessionProvider` takes. */
export interface SessionProviderProps {
  readonly session: Session;
  readonly children?: ReactNode;
}

const Context = createContext<Session | undefined>(undefined);

/** Where pages are made on a server nobody knows who will look at them. */
const ON_A_SERVER: SessionState = Object.freeze({ status: "unknown" });

/** Gives a session to all components below it. */
export function SessionProvider({ session, children }: SessionProviderProps): ReactElement {
  return createElement(Context.Provider, { value: session }, children);
}

/** The session of the `SessionProvider` above, and its state; the component is drawn anew when that changes. */
export function useSession(): UseSession {
  const session = useContext(Context);
  if (!session) throw new Error("useSession needs a SessionProvider above it");
  const state = useSyncExternalStore(
    session.subscribe,
    () => session.state,
    () => ON_A_SERVER,
  );
  return { session, state };
}
