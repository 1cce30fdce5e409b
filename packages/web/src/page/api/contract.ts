/** What the API tells, in the types of those who tell it. Of other rooms the page imports types alone. */
export type {
  BridgeView,
  Failure,
  ImpairView,
  LabView,
  LinkView,
  NetworkView,
  NicView,
  NodeView,
  YardView,
} from "@switchyard/yard/view";
