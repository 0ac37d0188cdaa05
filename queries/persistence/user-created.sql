-- title: IAM users made by hand
-- answers: Who made IAM users other than through CloudFormation?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1136.003
-- tags: iam
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'userName') AS user_name, userIdentity.arn AS principal,
       sourceIPAddress, userAgent, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateUser'
  AND coalesce(userIdentity.invokedBy, '') <> 'cloudformation.amazonaws.com'
ORDER BY eventTime, eventID
