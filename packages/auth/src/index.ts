export { allowAll } from "./authorize.ts";
export {
  type Authenticator,
  type Authorizer,
  type ConnectAnswer,
  type Decision,
  type Exchange,
  type ExchangeAnswer,
  type Identity,
  type Peer,
  type Refusal,
  type RefusalCode,
  refusalCode,
} from "./port.ts";
