-- title: The account's password rules changed
-- answers: Who changed or deleted the password policy of IAM users, and what does it ask for now?
-- severity: medium
-- outcomes: both
-- mitre: TA0006:T1556
-- tags: iam
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'minimumPasswordLength') AS length,
       element_at(requestParameters, 'requireSymbols') AS symbols, element_at(requestParameters, 'maxPasswordAge') AS days,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('UpdateAccountPasswordPolicy', 'DeleteAccountPasswordPolicy')
ORDER BY eventTime, eventID
