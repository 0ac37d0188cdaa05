-- title: Purchases that bind for years
-- answers: Who bought reserved capacity, savings plans or domains?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1496
-- tags: cost
SELECT eventTime, recipientAccountId, awsRegion, eventSource, eventName, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventName IN ('PurchaseReservedInstancesOffering', 'PurchaseReservedDBInstancesOffering',
                    'PurchaseReservedCacheNodesOffering', 'PurchaseReservedNodeOffering', 'PurchaseHostReservation',
                    'PurchaseCapacityBlock', 'CreateSavingsPlan', 'RegisterDomain')
ORDER BY eventTime, eventID
