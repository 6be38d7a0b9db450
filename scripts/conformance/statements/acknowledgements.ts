import { both, type Section } from "../statement.ts";

export const ACKNOWLEDGEMENTS: Section = {
  title: "PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 – 3.7)",
  statements: [
    both("3.4.2-1", "The reason code of PUBACK is one of those for it."),
    both("3.4.2-2", "No Reason String that makes PUBACK larger than its receiver allows."),
    both("3.4.2-3", "No User Property that makes PUBACK larger than its receiver allows."),
    both("3.5.2-1", "The reason code of PUBREC is one of those for it."),
    both("3.5.2-2", "No Reason String that makes PUBREC larger than its receiver allows."),
    both("3.5.2-3", "No User Property that makes PUBREC larger than its receiver allows."),
    both("3.6.1-1", "The flags of PUBREL are 0010; with others it is malformed."),
    both("3.6.2-1", "The reason code of PUBREL is one of those for it."),
    both("3.6.2-2", "No Reason String that makes PUBREL larger than its receiver allows."),
    both("3.6.2-3", "No User Property that makes PUBREL larger than its receiver allows."),
    both("3.7.2-1", "The reason code of PUBCOMP is one of those for it."),
    both("3.7.2-2", "No Reason String that makes PUBCOMP larger than its receiver allows."),
    both("3.7.2-3", "No User Property that makes PUBCOMP larger than its receiver allows."),
  ],
};
