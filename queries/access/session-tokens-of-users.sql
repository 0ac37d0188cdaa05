-- title: Session tokens drawn by IAM users
-- answers: Which IAM users turned their key into a session or federation token, and with MFA?
-- severity: low
-- outcomes: both
-- mitre: TA0008:T1550.001
-- tags: sts, keys
SELECT eventTime, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress, eventName,
       element_at(requestParameters, 'serialNumber') AS mfa_device, element_at(requestParameters, 'name') AS federated_as,
       json_extract_scalar(element_at(responseElements, 'credentials'), '$.accessKeyId') AS access_key,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'sts.amazonaws.com'
  AND eventName IN ('GetSessionToken', 'GetFederationToken')
  AND userIdentity.type = 'IAMUser'
ORDER BY eventTime, eventID
