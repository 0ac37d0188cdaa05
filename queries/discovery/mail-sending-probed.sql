-- title: Somebody asks how much mail may be sent
-- answers: Who looked up SES sending quotas and identities, as buyers of stolen keys do first?
-- severity: medium
-- outcomes: both
-- mitre: TA0007:T1526, TA0040:T1496
-- tags: ses, keys
SELECT eventTime, recipientAccountId, awsRegion, eventName, userIdentity.arn AS principal,
       userIdentity.accessKeyId AS access_key, sourceIPAddress, userAgent,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ses.amazonaws.com'
  AND eventName IN ('GetSendQuota', 'GetAccount', 'GetAccountSendingEnabled', 'ListIdentities', 'ListEmailIdentities',
                    'UpdateAccountSendingEnabled')
  AND userIdentity.accessKeyId LIKE 'AKIA%'
ORDER BY eventTime, eventID
