export {
  type AuthenticationConfig,
  type AuthenticationParts,
  anonymous,
  authentication,
} from "./authenticate.ts";
export { allowAll } from "./authorize.ts";
export type { CredentialKind } from "./credentials.ts";
export { credentialLines, deleteUser, PasswordFileError, setPassword } from "./edit.ts";
export { type PasswdIo, passwdCommand } from "./passwd.ts";
export type { PasswordCheckOptions } from "./password-check.ts";
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
